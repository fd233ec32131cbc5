//! Rooms, principals, agents, the registry, settings, capabilities, approvals and labels.

mod agents;
mod approvals;
mod capabilities;
mod labels;
mod principals;
mod registry;
mod replicas;
mod rooms;
mod settings;
mod shadow;
mod sweep;
