//! Packets to decisions: sessions, hub, ledger and journal logic.
