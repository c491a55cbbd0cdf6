//! A format before the first one, made up for tests: sessions under their numbers, messages in other bytes and with their
//! large payloads behind them. [`age`] makes a store of it from one of format 1, and [`STEPS`] lead back.

use std::collections::BTreeMap;

use hikyaku_broker::ledger::migrate::{Becomes, Step};
use hikyaku_traits::{Row, Table};

/// From format 0 to format 1: rows get other keys, rows are split in two, rows are written anew.
pub const STEPS: &[Step] = &[Step { from: 0, tables: &[Table::Session, Table::Message], row: renew }];

const OLD: u8 = 0;
const NEW: u8 = 1;

fn renew(table: Table, row: &Row) -> Option<Becomes> {
    let (version, rest) = row.value.split_first()?;
    let rows = match (*version, table) {
        (NEW, _) => return Some(Becomes::Same),
        (OLD, Table::Session) => {
            let (len, rest) = rest.split_first()?;
            let (client_id, rest) = rest.split_at_checked(usize::from(*len))?;
            vec![(table, self::row(client_id, &[&[NEW], rest]))]
        }
        (OLD, Table::Message) => {
            let (len, rest) = rest.split_first_chunk()?;
            let (head, body) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
            let mut rows = vec![(table, self::row(&row.key, &[&[NEW], &turned(head)]))];
            if !body.is_empty() {
                rows.push((Table::Body, self::row(&row.key, &[body])));
            }
            rows
        }
        _ => return None,
    };
    Some(Becomes::Rows(rows))
}

/// The rows of a store of format 1 as a store of format 0 has them. The keys of sessions are `number_of` their values.
pub fn age(rows: &[(Table, Row)], number_of: impl Fn(&Row) -> u64) -> Vec<(Table, Row)> {
    let bodies = rows.iter().filter(|(table, _)| *table == Table::Body);
    let bodies: BTreeMap<_, _> = bodies.map(|(_, row)| (&*row.key, &*row.value)).collect();
    let aged = rows.iter().filter_map(|(table, row)| {
        let aged = match table {
            Table::Meta if *row.key == *b"format" => self::row(&row.key, &[&[1, 0]]),
            Table::Session => {
                let len = u8::try_from(row.key.len()).unwrap();
                self::row(&number_of(row).to_be_bytes(), &[&[OLD, len], &row.key, &row.value[1..]])
            }
            Table::Message => {
                let head = turned(&row.value[1..]);
                let len = u32::try_from(head.len()).unwrap().to_be_bytes();
                let body = bodies.get(&*row.key).copied().unwrap_or_default();
                self::row(&row.key, &[&[OLD], &len, &head, body])
            }
            Table::Body => return None,
            _ => row.clone(),
        };
        Some((*table, aged))
    });
    aged.collect()
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x55).collect()
}

fn row(key: &[u8], value: &[&[u8]]) -> Row {
    Row { key: key.into(), value: value.concat().into() }
}
