//! The command against small workspaces whose crates.io is a folder, so that no test needs a network.

mod check;
mod moving;
mod support;
