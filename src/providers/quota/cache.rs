//! A cache that reads each value once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::OnceCell;

use crate::providers::error::{Error, ErrorKind};

/// Values by name. The first caller reads a value; all others wait for it and share it.
pub(in crate::providers) struct Cache<T>(RefCell<HashMap<String, CacheEntry<T>>>);

type CacheEntry<T> = Rc<OnceCell<Result<T, Error>>>;

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Clone> Cache<T> {
    /// Returns the cached value, or reads it. A rejection is cached too; after any other failure the next caller reads
    /// again.
    pub(in crate::providers) async fn get_or_read(
        &self,
        name: &str,
        read: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let cell = Rc::clone(self.0.borrow_mut().entry(name.to_owned()).or_default());
        cell.get_or_try_init(async || match read().await {
            Err(error) if error.kind() != ErrorKind::Rejected => Err(error),
            read => Ok(read),
        })
        .await?
        .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn values_and_rejections_are_read_once() {
        let cache = Cache::default();
        let reads = Cell::new(0);
        let read = async |response: Result<u32, ErrorKind>| {
            let value = cache.get_or_read("a", async || {
                reads.set(reads.get() + 1);
                tokio::time::sleep(Duration::from_secs(1)).await;
                response.map_err(|kind| Error::new(kind, "no"))
            });
            value.await.map_err(|error| error.kind())
        };
        assert_eq!(read(Err(ErrorKind::Unknown)).await, Err(ErrorKind::Unknown));
        assert_eq!(tokio::join!(read(Ok(7)), read(Ok(8))), (Ok(7), Ok(7)));
        assert_eq!(reads.get(), 2);
        let rejected: Cache<u32> = Cache::default();
        for _ in 0..2 {
            let value = rejected.get_or_read("a", async || {
                reads.set(reads.get() + 1);
                Err(Error::new(ErrorKind::Rejected, "no"))
            });
            assert!(value.await.is_err());
        }
        assert_eq!(reads.get(), 3);
    }
}
