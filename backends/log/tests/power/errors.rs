//! What if a call of the directory or of the store below fails, and the next ones work?

use hikyaku_suite::{Store, boxed};
use hikyaku_traits::{Decision, Durability};

use crate::below::decision;
use crate::disk::Lie;
use crate::fuse::Trouble;
use crate::life::Machine;
use crate::model::{Stop, everything, write};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A life of starts at each of which one call fails.
pub fn play(seed: u64, starts: usize) -> Result<(), String> {
    let mut machine = Machine::new(seed, Lie::None);
    for start in 0..starts {
        let mut result = Ok(());
        hikyaku_suite::run(async { result = round(&mut machine).await });
        result.map_err(|stop| format!("seed {seed}, start {start}: {stop:?}"))?;
    }
    Ok(())
}

async fn round(machine: &mut Machine) -> Result<(), Stop> {
    let number = machine.random.pick(&[EIO, ENOSPC]);
    machine.fuse.light(machine.random.below(150), Trouble::Error(number));
    match machine.open() {
        Ok(store) => fail(machine, &*boxed(store), number).await?,
        Err(error) if machine.fuse.is_burnt() && error.decision == decision(number) => {}
        Err(error) => return Err(error.into()),
    }
    machine.fuse.light(usize::MAX, Trouble::Off);
    again(machine).await
}

/// Lives until a batch is refused. From then on no other one may be taken.
async fn fail(machine: &mut Machine, store: &dyn Store, number: i32) -> Result<(), Stop> {
    for _ in 0..80 {
        let batch = machine.model.batch(&mut machine.random);
        let durability = machine.random.pick(&[Durability::Synced, Durability::Buffered]);
        machine.model.begin(batch.clone());
        let Err(error) = write(store, &batch, durability).await else {
            machine.model.end(durability);
            continue;
        };
        if !machine.fuse.is_burnt() || error.decision != decision(number) {
            return Err(error.into());
        }
        for durability in [Durability::Synced, Durability::Buffered] {
            if write(store, &batch, durability).await.is_ok() || write(store, &[], durability).await.is_ok() {
                return Stop::wrong(format!("it goes on after {error:?}"));
            }
        }
        return match store.close().await {
            Err(error) if error.decision == Decision::Corrupt => Err(error.into()),
            Err(_) => Ok(()),
            Ok(()) => Stop::wrong("it closes as if nothing had failed"),
        };
    }
    // What failed was a read of nobody, or nothing was lost with it.
    Ok(())
}

/// Opens the store, finds what should be there, and applies the batch that was refused.
async fn again(machine: &mut Machine) -> Result<(), Stop> {
    let store = boxed(machine.open()?);
    let refused = machine.model.under_way();
    machine.model.judge(&everything(&*store).await?, false)?;
    if let Some(batch) = refused {
        machine.model.begin(batch.clone());
        write(&*store, &batch, Durability::Synced).await?;
        machine.model.end(Durability::Synced);
    }
    if everything(&*store).await? != machine.model.now {
        return Stop::wrong("a batch that was applied again is not there as it should be");
    }
    if machine.random.chance(30) {
        store.close().await?;
    }
    Ok(())
}
