//! The simulated world (to be written).
