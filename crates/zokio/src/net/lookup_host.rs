//! Name look-up for everybody.

use super::ToSocketAddrs;
use super::addr;
use std::io;
use std::net::SocketAddr;

/// Looks a host up. Names go through the system's resolver, on a thread that may block; addresses
/// need no look-up.
///
/// Meant for code that wants a few addresses of a name, not for resolving in bulk.
///
/// # Errors
/// The errors of the resolver (`getaddrinfo`), which have no kind of their own; `InvalidInput` if the
/// host is not well formed.
///
/// # Examples
/// ```no_run
/// # async fn demo() -> std::io::Result<()> {
/// for address in zokio::net::lookup_host("localhost:3000").await? {
///     println!("{address}");
/// }
/// # Ok(()) }
/// ```
pub async fn lookup_host<T>(host: T) -> io::Result<impl Iterator<Item = SocketAddr>>
where
    T: ToSocketAddrs,
{
    addr::resolve(host).await
}
