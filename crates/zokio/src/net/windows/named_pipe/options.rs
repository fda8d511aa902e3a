//! How pipes are made and opened, and what can be known of them.
#![allow(unsafe_code)]

use super::sys::{self, NewPipe};
use super::{NamedPipeClient, NamedPipeServer};
use std::ffi::{OsStr, c_void};
use std::io;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_ACCESS_INBOUND, PIPE_ACCESS_OUTBOUND,
    SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT, WRITE_DAC, WRITE_OWNER,
};
use windows_sys::Win32::System::Pipes::{
    PIPE_ACCEPT_REMOTE_CLIENTS, PIPE_READMODE_BYTE, PIPE_READMODE_MESSAGE,
    PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_TYPE_MESSAGE, PIPE_UNLIMITED_INSTANCES,
};
use windows_sys::Win32::System::SystemServices::ACCESS_SYSTEM_SECURITY;

/// The size of an instance's buffers unless it is set, in bytes.
const BUFFER_SIZE: u32 = 65_536;

/// Whether a pipe keeps the bounds between writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PipeMode {
    /// A stream of bytes.
    Byte,
    /// Each write is a message. A read gets one, or the first part of one.
    Message,
}

/// Which end of a pipe something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PipeEnd {
    /// It was opened by name.
    Client,
    /// It was made.
    Server,
}

/// The properties of a pipe, as the system tells them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PipeInfo {
    /// Bytes or messages.
    pub mode: PipeMode,
    /// Which end was asked.
    pub end: PipeEnd,
    /// How many instances there may be. 255 stands for as many as the system can have.
    pub max_instances: u32,
    /// The size of the buffer for what is sent, in bytes.
    pub out_buffer_size: u32,
    /// The size of the buffer for what is received, in bytes.
    pub in_buffer_size: u32,
}

/// How an instance of a pipe is made.
///
/// # Examples
/// ```no_run
/// use zokio::net::windows::named_pipe::{PipeMode, ServerOptions};
///
/// # async fn demo() -> std::io::Result<()> {
/// let server = ServerOptions::new()
///     .pipe_mode(PipeMode::Message)
///     .max_instances(4)
///     .create(r"\\.\pipe\zokio-options")?;
/// assert_eq!(server.info()?.max_instances, 4);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The mode that the handle is asked for with.
    open_mode: u32,
    pipe_mode: PipeMode,
    rejects_remote_clients: bool,
    max_instances: u32,
    out_buffer_size: u32,
    in_buffer_size: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerOptions {
    /// A pipe of bytes, in both directions, for clients of this machine, with as many instances as
    /// wanted and buffers of 64 KiB.
    pub fn new() -> ServerOptions {
        ServerOptions {
            open_mode: PIPE_ACCESS_INBOUND | PIPE_ACCESS_OUTBOUND,
            pipe_mode: PipeMode::Byte,
            rejects_remote_clients: true,
            max_instances: PIPE_UNLIMITED_INSTANCES,
            out_buffer_size: BUFFER_SIZE,
            in_buffer_size: BUFFER_SIZE,
        }
    }

    fn set(&mut self, bit: u32, is_wanted: bool) -> &mut Self {
        if is_wanted {
            self.open_mode |= bit;
        } else {
            self.open_mode &= !bit;
        }
        self
    }

    /// Bytes or messages. All instances of a pipe are of one kind.
    pub fn pipe_mode(&mut self, pipe_mode: PipeMode) -> &mut Self {
        self.pipe_mode = pipe_mode;
        self
    }

    /// Whether data may come from clients. True unless set.
    pub fn access_inbound(&mut self, allowed: bool) -> &mut Self {
        self.set(PIPE_ACCESS_INBOUND, allowed)
    }

    /// Whether data may go to clients. True unless set.
    pub fn access_outbound(&mut self, allowed: bool) -> &mut Self {
        self.set(PIPE_ACCESS_OUTBOUND, allowed)
    }

    /// Whether this has to be the first instance: [`create`](Self::create) fails with
    /// `PermissionDenied` if the name is taken. False unless set.
    pub fn first_pipe_instance(&mut self, first: bool) -> &mut Self {
        self.set(FILE_FLAG_FIRST_PIPE_INSTANCE, first)
    }

    /// Asks for the right to change who may do what with the pipe. False unless set.
    pub fn write_dac(&mut self, requested: bool) -> &mut Self {
        self.set(WRITE_DAC, requested)
    }

    /// Asks for the right to change the owner. False unless set.
    pub fn write_owner(&mut self, requested: bool) -> &mut Self {
        self.set(WRITE_OWNER, requested)
    }

    /// Asks for the right to change what is audited. False unless set.
    pub fn access_system_security(&mut self, requested: bool) -> &mut Self {
        self.set(ACCESS_SYSTEM_SECURITY, requested)
    }

    /// Whether clients of other machines are refused. True unless set, whatever else is set.
    pub fn reject_remote_clients(&mut self, reject: bool) -> &mut Self {
        self.rejects_remote_clients = reject;
        self
    }

    /// How many instances there may be, the same for each of them.
    ///
    /// # Panics
    /// If `instances` is 255 or more: the system takes 255 for no limit, which is what there is
    /// unless it is set.
    #[track_caller]
    pub fn max_instances(&mut self, instances: usize) -> &mut Self {
        assert!(instances < 255, "cannot specify more than 254 instances");
        self.max_instances = instances as u32;
        self
    }

    /// The size of the buffer for what is sent, in bytes.
    pub fn out_buffer_size(&mut self, buffer: u32) -> &mut Self {
        self.out_buffer_size = buffer;
        self
    }

    /// The size of the buffer for what is received, in bytes.
    pub fn in_buffer_size(&mut self, buffer: u32) -> &mut Self {
        self.in_buffer_size = buffer;
        self
    }

    /// Makes an instance of the pipe `addr`.
    ///
    /// # Errors
    /// The errors of `CreateNamedPipeW`: for instance that there may be no more instances.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    pub fn create(&self, addr: impl AsRef<OsStr>) -> io::Result<NamedPipeServer> {
        // SAFETY: no attributes.
        unsafe { self.create_with_security_attributes_raw(addr, null_mut()) }
    }

    /// As [`create`](Self::create), with security attributes.
    ///
    /// # Safety
    /// `attrs` is null or points to a valid `SECURITY_ATTRIBUTES`.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    ///
    /// # Panics
    /// As [`create`](Self::create).
    #[track_caller]
    pub unsafe fn create_with_security_attributes_raw(
        &self,
        addr: impl AsRef<OsStr>,
        attrs: *mut c_void,
    ) -> io::Result<NamedPipeServer> {
        let new = NewPipe {
            open_mode: self.open_mode,
            pipe_mode: self.kind(),
            max_instances: self.max_instances,
            out_buffer_size: self.out_buffer_size,
            in_buffer_size: self.in_buffer_size,
        };
        // SAFETY: as the caller promises.
        let handle = unsafe { sys::create(addr.as_ref(), &new, attrs) }?;
        NamedPipeServer::of(handle)
    }

    /// The system's word for what kind of pipe it is, and for whom.
    fn kind(&self) -> u32 {
        let kind = match self.pipe_mode {
            PipeMode::Byte => PIPE_TYPE_BYTE | PIPE_READMODE_BYTE,
            PipeMode::Message => PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE,
        };
        let clients = if self.rejects_remote_clients {
            PIPE_REJECT_REMOTE_CLIENTS
        } else {
            PIPE_ACCEPT_REMOTE_CLIENTS
        };
        kind | clients
    }
}

/// How a client opens a pipe.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use zokio::net::windows::named_pipe::ClientOptions;
///
/// const ERROR_PIPE_BUSY: i32 = 231;
///
/// # async fn demo() -> std::io::Result<()> {
/// let client = loop {
///     match ClientOptions::new().open(r"\\.\pipe\zokio-client") {
///         // Every instance has its client: another one may come.
///         Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => {}
///         result => break result?,
///     }
///     zokio::time::sleep(Duration::from_millis(50)).await;
/// };
/// # drop(client);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ClientOptions {
    access: u32,
    security_qos_flags: u32,
    pipe_mode: PipeMode,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientOptions {
    /// For reading and writing bytes. The server may find out who the client is, and may not act in its
    /// name.
    pub fn new() -> Self {
        Self {
            access: GENERIC_READ | GENERIC_WRITE,
            security_qos_flags: SECURITY_IDENTIFICATION | SECURITY_SQOS_PRESENT,
            pipe_mode: PipeMode::Byte,
        }
    }

    fn set(&mut self, bit: u32, is_wanted: bool) -> &mut Self {
        if is_wanted {
            self.access |= bit;
        } else {
            self.access &= !bit;
        }
        self
    }

    /// Whether it is read from. True unless set.
    pub fn read(&mut self, allowed: bool) -> &mut Self {
        self.set(GENERIC_READ, allowed)
    }

    /// Whether it is written to. True unless set.
    pub fn write(&mut self, allowed: bool) -> &mut Self {
        self.set(GENERIC_WRITE, allowed)
    }

    /// Sets which rights the server gets to act in the client's name: the `SECURITY_` flags of `CreateFileW`.
    /// `SECURITY_IDENTIFICATION` unless set; `SECURITY_SQOS_PRESENT` is always added.
    pub fn security_qos_flags(&mut self, flags: u32) -> &mut Self {
        self.security_qos_flags = flags | SECURITY_SQOS_PRESENT;
        self
    }

    /// Whether reads return messages. Only where the pipe is one of messages.
    pub fn pipe_mode(&mut self, pipe_mode: PipeMode) -> &mut Self {
        self.pipe_mode = pipe_mode;
        self
    }

    /// Opens the pipe `addr`.
    ///
    /// # Errors
    /// `NotFound` if there is no such pipe; error 231 (`ERROR_PIPE_BUSY`) if all of its instances
    /// have clients, and trying again later may help; otherwise the errors of `CreateFileW`.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    pub fn open(&self, addr: impl AsRef<OsStr>) -> io::Result<NamedPipeClient> {
        // SAFETY: no attributes.
        unsafe { self.open_with_security_attributes_raw(addr, null_mut()) }
    }

    /// As [`open`](Self::open), with security attributes.
    ///
    /// # Safety
    /// `attrs` is null or points to a valid `SECURITY_ATTRIBUTES`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Panics
    /// As [`open`](Self::open).
    #[track_caller]
    pub unsafe fn open_with_security_attributes_raw(
        &self,
        addr: impl AsRef<OsStr>,
        attrs: *mut c_void,
    ) -> io::Result<NamedPipeClient> {
        // SAFETY: as the caller promises.
        let handle =
            unsafe { sys::open(addr.as_ref(), self.access, self.security_qos_flags, attrs) }?;
        if self.pipe_mode == PipeMode::Message {
            sys::read_messages(&handle)?;
        }
        NamedPipeClient::of(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RUSTSEC-2023-0001: setting the mode of the pipe let clients of other machines in again.
    #[test]
    fn regression_remote_clients_stay_out_whatever_the_mode() {
        for mode in [PipeMode::Byte, PipeMode::Message] {
            let mut options = ServerOptions::new();
            let is_closed =
                |options: &ServerOptions| options.kind() & PIPE_REJECT_REMOTE_CLIENTS != 0;
            assert!(is_closed(options.pipe_mode(mode)));
            assert!(!is_closed(options.reject_remote_clients(false)));
            assert!(is_closed(
                options.reject_remote_clients(true).pipe_mode(mode)
            ));
        }
    }
}
