//! Which records tell what happened, and what do records tell?
