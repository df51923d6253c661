//! Looks up what earlier attempts have started in the commit statuses that they have set.

use url::Url;

use super::{Decision, report, take_up, with_retries};
use crate::engine::context::TargetContext;
use crate::engine::status_memory::Remembered;
use crate::model::{FollowedRun, MatchedBy, NotRecalled, Run};
use crate::providers::location::path_on;

/// Like [`recall`](super::recall).
pub(super) async fn look_up(context: TargetContext<'_, '_>) -> Result<Vec<Run>, NotRecalled> {
    let Some(memory) = context.memory else {
        unreachable!("there are statuses if a target needs them");
    };
    let attempts = memory.attempts().await?;
    if let Some(other) = attempts.own() {
        let page = other.page().unwrap_or_else(|| memory.calling_page());
        return Err(NotRecalled::SameKey(vec![page]));
    }
    let mut decision = Decision::Trigger;
    for (attempt, remembered) in attempts.earlier() {
        let run = match remembered {
            Remembered::Nothing => continue,
            Remembered::Unclear(_) => None,
            Remembered::Run(page) => read(context, page).await?,
        };
        let Some(run) = run else {
            let page = remembered.page();
            let run = page.and_then(|page| given(context, &page));
            let run = run.map(|given| given.url);
            return Err(NotRecalled::Unclear { attempt, run });
        };
        decision = decision.after(context, attempt, vec![run]).await?;
        if matches!(decision, Decision::TakeUp(_)) {
            break;
        }
    }
    match decision {
        Decision::TakeUp(runs) => Ok(take_up(context, runs)),
        Decision::TriggerAgain(failed) => {
            report(context, &failed, true);
            Ok(Vec::new())
        }
        Decision::Trigger if attempts.is_complete || memory.is_first_attempt() => Ok(Vec::new()),
        Decision::Trigger => Err(NotRecalled::TooManyStatuses),
    }
}

/// Reads the run at an address. `None` if it isn't one of the target's own server and repository.
async fn read(context: TargetContext<'_, '_>, page: &str) -> Result<Option<Run>, NotRecalled> {
    let Some(given) = given(context, page) else {
        return Ok(None);
    };
    // The id is looked up in the target's repository. Where it is only a number there, the page must be the same too.
    let read = async || context.provider.followed(&given).await;
    let run = with_retries(context, read).await?;
    Ok(run.url.eq_ignore_ascii_case(&given.url).then_some(run))
}

fn given(context: TargetContext<'_, '_>, page: &str) -> Option<FollowedRun> {
    let server = &context.target.location.server;
    let url = server.page(page)?;
    let address = Url::parse(&url).ok()?;
    let path = path_on(&server.web, &address)?;
    let run = context.target.provider().run_address(path)?;
    Some(FollowedRun {
        id: run.id,
        number: None,
        url,
        matched_by: MatchedBy::Id,
        attempt: None,
    })
}
