//! Descriptors of sockets: the traits that lend and take them over, and conversions from the standard
//! library's types. Each macro stands beside the type, which has a field `io: IoSource<_>` unless it says
//! otherwise.

/// Descriptors and conversions from the standard library's type.
macro_rules! socket_conversions {
    ($type:ident, $std:ty) => {
        socket_conversions!($type, $std, descriptors);
    };
    ($type:ident, $std:ty, $descriptors:ident) => {
        impl TryFrom<$std> for $type {
            type Error = std::io::Error;

            /// As `from_std`: the same rules and the same panics.
            fn try_from(socket: $std) -> std::io::Result<Self> {
                Self::from_std(socket)
            }
        }

        $descriptors!($type);
    };
}

/// Descriptors.
macro_rules! descriptors {
    ($type:ident) => {
        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&*self.io)
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                std::os::fd::AsFd::as_fd(&*self.io)
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $type {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                std::os::windows::io::AsRawSocket::as_raw_socket(&*self.io)
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $type {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                std::os::windows::io::AsSocket::as_socket(&*self.io)
            }
        }
    };
}

/// As `descriptors`, of a type with a method `note_lent`: what a descriptor is used for is not known.
macro_rules! noted_descriptors {
    ($type:ident) => {
        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.note_lent();
                std::os::fd::AsRawFd::as_raw_fd(&*self.io)
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.note_lent();
                std::os::fd::AsFd::as_fd(&*self.io)
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $type {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                self.note_lent();
                std::os::windows::io::AsRawSocket::as_raw_socket(&*self.io)
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $type {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.note_lent();
                std::os::windows::io::AsSocket::as_socket(&*self.io)
            }
        }
    };
}

/// Descriptors of a type with a field `inner` that is a socket of `socket2`.
macro_rules! raw_socket {
    ($type:ident) => {
        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.inner.as_raw_fd()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.inner.as_fd()
            }
        }

        #[cfg(unix)]
        #[allow(unsafe_code)] // A raw descriptor can be taken over by unsafe code only.
        impl std::os::fd::FromRawFd for $type {
            unsafe fn from_raw_fd(fd: std::os::fd::RawFd) -> Self {
                // SAFETY: the caller hands over a descriptor that it owns.
                let inner = unsafe { socket2::Socket::from_raw_fd(fd) };
                Self { inner }
            }
        }

        #[cfg(unix)]
        impl std::os::fd::IntoRawFd for $type {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                self.inner.into_raw_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $type {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                self.inner.as_raw_socket()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $type {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.inner.as_socket()
            }
        }

        #[cfg(windows)]
        #[allow(unsafe_code)] // A raw socket can be taken over by unsafe code only.
        impl std::os::windows::io::FromRawSocket for $type {
            unsafe fn from_raw_socket(socket: std::os::windows::io::RawSocket) -> Self {
                // SAFETY: the caller hands over a socket that it owns.
                let inner = unsafe { socket2::Socket::from_raw_socket(socket) };
                Self { inner }
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::IntoRawSocket for $type {
            fn into_raw_socket(self) -> std::os::windows::io::RawSocket {
                self.inner.into_raw_socket()
            }
        }
    };
}
