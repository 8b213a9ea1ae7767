//! From checked options to what they ask for.

use std::net::SocketAddr;

use super::command::Command;
use super::command_table::CommandName;
use super::draft::Draft;
use super::failure::Failure;
use super::groups::Group;
use super::listing::{Columns, ListRequest, Order};
use super::options::Switch;
use super::refusal;
use super::save::SaveRequest;
use crate::control::change::{Change, ChangeError};
use crate::control::service::{ServerOptions, ServiceAddress, ServiceOptions};

const DEFAULT_WEIGHT: u32 = 1;

impl Draft {
    /// What the line asks for, once it is checked.
    pub(super) fn build(&self, command: CommandName, switch: &Switch) -> Result<Command, Failure> {
        let change = match command {
            CommandName::List => return self.list_request().map(Command::List),
            CommandName::Save => return Ok(Command::Save(SaveRequest { numeric: self.has(Group::Numeric) })),
            CommandName::Restore => return Ok(Command::Restore),
            CommandName::Help => return Ok(Command::Help),
            CommandName::Version => return Ok(Command::Version),
            CommandName::AddService => {
                Change::AddService { service: self.named_service()?, options: self.service_options()? }
            }
            CommandName::EditService => {
                Change::EditService { service: self.named_service()?, options: self.service_options()? }
            }
            CommandName::DeleteService => Change::DeleteService { service: self.named_service()? },
            CommandName::Clear => Change::Clear,
            CommandName::Zero => Change::Zero { service: self.zeroed_service()? },
            CommandName::AddServer => {
                let (service, server) = self.steered_server()?;
                Change::AddServer { service, server, options: self.server_options() }
            }
            CommandName::EditServer => {
                let (service, server) = self.steered_server()?;
                Change::EditServer { service, server, options: self.server_options() }
            }
            CommandName::DeleteServer => {
                let (service, server) = self.service_and_server()?;
                Change::DeleteServer { service, server }
            }
            CommandName::SetTimeouts | CommandName::StartDaemon | CommandName::StopDaemon => {
                return Err(refusal::command(switch));
            }
        };
        Ok(Command::Change(change))
    }

    fn has(&self, group: Group) -> bool {
        self.given.contains(&group)
    }

    fn list_request(&self) -> Result<ListRequest, Failure> {
        let service = match self.service {
            Some(_) => Some(self.service_address().ok_or_else(Failure::nothing_to_list)?),
            None => None,
        };
        let exact = self.has(Group::Exact);
        Ok(ListRequest {
            service,
            numeric: self.has(Group::Numeric),
            columns: if self.has(Group::Stats) { Columns::Traffic { exact } } else { Columns::Connections },
            order: if self.has(Group::NoSort) { Order::Kernel } else { Order::Sorted },
        })
    }

    /// A service has a port: one without is not there.
    fn service_address(&self) -> Option<ServiceAddress> {
        let service = self.service.filter(|service| service.address.port() != 0)?;
        Some(ServiceAddress { protocol: service.transport.protocol()?, address: service.address })
    }

    fn named_service(&self) -> Result<ServiceAddress, ChangeError> {
        self.service_address().ok_or(ChangeError::NoSuchService)
    }

    fn zeroed_service(&self) -> Result<Option<ServiceAddress>, ChangeError> {
        match self.service {
            Some(_) => self.named_service().map(Some),
            None => Ok(None),
        }
    }

    fn service_and_server(&self) -> Result<(ServiceAddress, SocketAddr), ChangeError> {
        let service = self.service_address().ok_or(ChangeError::ServiceNotDefined)?;
        let server = self.server.ok_or(ChangeError::NoSuchServer)?;
        Ok((service, server))
    }

    /// In direct routing the packet keeps its port: whatever port was given, it is the service's.
    fn steered_server(&self) -> Result<(ServiceAddress, SocketAddr), ChangeError> {
        let (service, server) = self.service_and_server()?;
        Ok((service, SocketAddr::new(server.ip(), service.address.port())))
    }

    fn service_options(&self) -> Result<ServiceOptions, Failure> {
        let scheduler = self.scheduler_name().parse().map_err(|_| refusal::scheduler(self))?;
        Ok(ServiceOptions { scheduler })
    }

    fn server_options(&self) -> ServerOptions {
        ServerOptions { weight: self.weight.unwrap_or(DEFAULT_WEIGHT) }
    }
}
