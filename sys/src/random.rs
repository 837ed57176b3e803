//! Numbers that nobody can guess, from the system.

use std::io;

/// 128 bits that nobody else knows. Waits only in the first moments of a boot.
///
/// # Errors
/// The system has none to give.
pub fn secret() -> io::Result<u128> {
    let mut bytes = [0_u8; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: writes at most `rest.len()` bytes into `rest`.
        let count = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(count) {
            Ok(count) => filled += count,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(u128::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let some: std::collections::BTreeSet<u128> = (0..100).map(|_| secret().unwrap()).collect();
        assert_eq!(some.len(), 100);
    }
}
