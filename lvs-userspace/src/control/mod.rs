//! The director's model of virtual services and real servers, and the one writer of the maps.

pub mod change;
pub mod model;
pub mod service;
pub mod snapshot;
