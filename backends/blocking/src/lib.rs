//! A synchronous engine on threads of its own, shown as the async record store.
