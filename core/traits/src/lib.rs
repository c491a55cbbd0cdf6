//! What others implement: a place for sessions, a place for retained messages, who may enter, and what becomes of a Will.
//!
//! The core defines four traits: [`SessionStore`], [`RetainStore`], [`Auth`] and [`WillDispatch`]. Stores are places for
//! records (see [`RecordStore`]): a backend knows no MQTT property, no clock and no policy. The broker calls all of them
//! from its own tasks and never holds a lock while it waits.
//!
//! ```
//! use hikyaku_traits::{Batch, Op, Ops, Table};
//! struct One;
//! impl Ops for One {
//!     fn len(&self) -> usize { 1 }
//!     fn op(&self, _: usize) -> Option<Op<'_>> { Some(Op::Put { table: Table::Meta, key: b"k", value: b"v" }) }
//! }
//! assert_eq!(Batch::new(One).len(), 1);
//! ```

mod auth;
mod record;
mod will;

pub use auth::{Access, Action, Auth, AuthRequest, Authentication, Authorization};
pub use record::{
    Batch, Decision, Durability, Keys, Op, Ops, Page, RecordStore, RetainStore, Row, Scan, SessionStore, StoreError,
    Table,
};
pub use will::{Lost, StandardWill, Will, WillDecision, WillDispatch};
