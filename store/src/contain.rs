//! Panics of the database are errors here.
//!
//! redb answers most damage with an error, but not all of it (its issues 1303 and 1333 are panics on malformed pages):
//! every call that reads or writes a file goes through here, and a database that has panicked is never used again.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Runs `call`; a panic in it is its text, and is not printed.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    thread_local! {
        static CONTAINED: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !CONTAINED.get() {
                usual(panic);
            }
        }));
    });
    CONTAINED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    CONTAINED.set(false);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        // Of an assertion only the first line: the rest are values.
        text.lines().next().unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_text() {
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(contained(|| panic!("bad page")), Err::<(), _>("bad page".to_owned()));
        assert_eq!(contained(|| panic!("bad page {}\nleft: 1", 3)), Err::<(), _>("bad page 3".to_owned()));
    }
}
