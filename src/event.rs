//! What happens on the way, as values. Lower rooms send them to a sink that they are given; what is
//! printed of them is decided above.

use std::time::Duration;

use url::Url;

use crate::provider::Error;
use crate::run::Run;
use crate::secret::Secret;

/// Something that happened.
pub(crate) enum Event<'what> {
    /// A secret came to be known that must be masked before anything else happens.
    Minted(&'what Secret),
    /// No ref was given; this is the target's default branch.
    DefaultReference(&'what str),
    /// It is tried again after a while: nothing has been started.
    Waiting { why: &'what Error, pause: Duration },
    /// The first form of the trigger was rejected for a reason that allows a second one.
    SecondForm(&'what str),
    /// The trigger was accepted; where the answer tells no run, there is the page to look at.
    Accepted {
        run: Option<&'what Run>,
        page: &'what str,
    },
    /// What would be sent if this were no dry run. Secrets are hidden in it.
    WouldSend { url: &'what Url, body: &'what str },
    /// For those who debug.
    Trace(String),
}

/// Where events go.
pub(crate) type Sink<'a> = &'a dyn Fn(Event<'_>);
