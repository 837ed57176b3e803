//! Variables that are for this very process and must not reach the programs it starts.

use std::ffi::OsString;

use crate::process;

/// Takes a variable out of the environment. `None` when it is not set, or cannot be taken out safely: while other
/// threads run, they may be reading the environment.
pub fn take(name: &str) -> Option<OsString> {
    if !process::single_threaded() {
        return None;
    }
    let value = std::env::var_os(name)?;
    // SAFETY: this process has one thread, as just checked, so nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_beside_other_threads() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || receiver.recv().is_err());
        assert_eq!(take("PATH"), None);
        assert!(std::env::var_os("PATH").is_some());
        drop(sender);
        other.join().unwrap();
    }
}
