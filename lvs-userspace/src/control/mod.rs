//! The director's model of virtual services and real servers, and the one writer of the maps.

pub mod api;
mod arena;
pub mod change;
pub mod daemon;
pub mod director;
mod indices;
pub mod instance;
mod listing;
pub mod model;
mod perform;
mod placement;
mod publish;
pub mod reach;
pub mod service;
pub mod snapshot;
