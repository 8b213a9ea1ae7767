//! What ipvsadm checks once it has read the whole line (`parse_options` and `process_options` in ipvsadm.c).

use super::command_table::CommandName;
use super::draft::{Draft, Forwarding, Transport};
use super::failure::Failure;
use super::groups::Group;

impl Draft {
    /// Says what is wrong first, in ipvsadm's order.
    pub(super) fn check(&self, command: CommandName) -> Result<(), Failure> {
        self.check_scheduler_flags()?;
        command.rule().check(&self.given)?;
        match command {
            CommandName::AddService | CommandName::EditService => self.check_service(),
            CommandName::AddServer | CommandName::EditServer => self.check_server(),
            CommandName::List => self.check_listing(),
            CommandName::DeleteService
            | CommandName::Clear
            | CommandName::DeleteServer
            | CommandName::SetTimeouts
            | CommandName::StartDaemon
            | CommandName::StopDaemon
            | CommandName::Restore
            | CommandName::Save
            | CommandName::Zero
            | CommandName::Help
            | CommandName::Version => Ok(()),
        }
    }

    fn check_scheduler_flags(&self) -> Result<(), Failure> {
        let scheduler = self.scheduler_name();
        let flags = self.scheduler_flags.as_deref().unwrap_or_default();
        for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
            let only_with = match flag {
                "flag-1" | "flag-2" | "flag-3" => scheduler,
                "sh-fallback" | "sh-port" => "sh",
                "mh-fallback" | "mh-port" => "mh",
                _ => return Err(Failure::invalid(format!("invalid scheduler flag `{flag}'"))),
            };
            if scheduler != only_with {
                return Err(Failure::invalid(format!("incompatible scheduler flag `{flag}'")));
            }
        }
        Ok(())
    }

    fn check_service(&self) -> Result<(), Failure> {
        let Some(service) = self.service.filter(|service| !service.by_mark) else {
            return Ok(());
        };
        if service.address.port() == 0 && !self.given.contains(&Group::Persistent) {
            return Err(Failure::invalid("Zero port specified for non-persistent service"));
        }
        if self.given.contains(&Group::OnePacket) && service.transport != Transport::Udp {
            return Err(Failure::invalid("One-Packet Scheduling is only for UDP virtual services"));
        }
        Ok(())
    }

    fn check_server(&self) -> Result<(), Failure> {
        const TUNNEL: [Group; 5] = [
            Group::TunnelType,
            Group::TunnelPort,
            Group::TunnelNoChecksum,
            Group::TunnelChecksum,
            Group::TunnelRemoteChecksum,
        ];
        if self.forwarding == Forwarding::Tunnel {
            return Ok(());
        }
        let service_is_ipv4 = self.service.map(|service| service.address.is_ipv4());
        if self.server.map(|server| server.is_ipv4()) != service_is_ipv4 {
            return Err(Failure::invalid("Different address family is allowed only for tunneling servers"));
        }
        if TUNNEL.iter().any(|group| self.given.contains(group)) {
            return Err(Failure::invalid("Tunnel options conflict with forward method"));
        }
        Ok(())
    }

    fn check_listing(&self) -> Result<(), Failure> {
        let any = |groups: &[Group]| groups.iter().any(|group| self.given.contains(group));
        let not_services = any(&[Group::Connection, Group::Timeout, Group::Daemon]);
        let columns = any(&[Group::Stats, Group::Rate, Group::Thresholds]);
        let neither = any(&[Group::Timeout, Group::Daemon]);
        if not_services && columns || neither && any(&[Group::PersistentConnections]) {
            return Err(Failure::invalid("options conflicts in the list command"));
        }
        Ok(())
    }
}
