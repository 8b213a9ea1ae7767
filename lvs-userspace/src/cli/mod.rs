//! The command line.

pub mod ipvsadm;
