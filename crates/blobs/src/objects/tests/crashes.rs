//! A node that dies at any request of an append or a finish: another one goes on.

use std::sync::Arc;

use wharf_core::blobs::{Blobs, Staged};

use super::proxy::{Act, Proxy};
use super::{
    Engine, append, chunks, content, holds, key_of, left, new_prefix, new_upload, on_each_service,
    small_limits,
};

const MIB: usize = 1 << 20;

on_each_service! {
    a_finish_goes_on_wherever_it_died
    a_finish_of_a_tail_goes_on_wherever_it_died
    an_append_goes_on_wherever_it_died
}

async fn a_finish_goes_on_wherever_it_died(engine: Engine) {
    finish_dies_everywhere(engine, 11 * MIB + 5).await;
}

async fn a_finish_of_a_tail_goes_on_wherever_it_died(engine: Engine) {
    finish_dies_everywhere(engine, 1000).await;
}

async fn finish_dies_everywhere(engine: Engine, length: usize) {
    let (proxy, prefix) = (Proxy::before(&(engine.endpoint)()).await, new_prefix());
    let whole = engine.node(&prefix, small_limits());
    let dying = Arc::new((engine.open)(proxy.endpoint(), &prefix, small_limits()));
    let mut requests = None;
    for (round, die) in [Act::DieBefore, Act::DieAfter].into_iter().enumerate() {
        for request in 0.. {
            if requests.is_some_and(|requests| request >= requests) {
                break;
            }
            let bytes = content(length, (round * 1000 + request) as u64 + 1);
            let (upload, key) = (new_upload(), key_of(&bytes));
            let staged = append(&whole, &upload, &Staged::default(), &bytes).await;
            if requests.is_none() {
                // The first time tells how many requests there are to die at.
                proxy.calls();
                dying.finish(&upload, &staged, &key).await.unwrap();
                requests = Some(proxy.calls().len());
                continue;
            }
            proxy.script((request, 1), die.clone(), |_| true);
            let (node, at_work) = (Arc::clone(&dying), staged.clone());
            let finish = tokio::spawn(async move { node.finish(&upload, &at_work, &key).await });
            proxy.died().await;
            finish.abort();
            let _ = finish.await;
            proxy.forget();
            whole.finish(&upload, &staged, &key).await.unwrap();
            holds(&whole, &bytes).await;
            assert!(left(&whole, &upload).await.is_empty(), "{round} {request}");
            // As the client does that heard of neither.
            whole.finish(&upload, &staged, &key).await.unwrap();
        }
    }
    assert!(requests.is_some_and(|requests| requests >= 4), "{requests:?}");
}

async fn an_append_goes_on_wherever_it_died(engine: Engine) {
    let (proxy, prefix) = (Proxy::before(&(engine.endpoint)()).await, new_prefix());
    let whole = engine.node(&prefix, small_limits());
    let dying = Arc::new((engine.open)(proxy.endpoint(), &prefix, small_limits()));
    let bytes = content(14 * MIB, 1);
    let (first, rest) = (bytes.slice(..6 * MIB), bytes.slice(6 * MIB..));
    let upload = new_upload();
    let staged = append(&whole, &upload, &Staged::default(), &first).await;
    proxy.calls();
    append(&dying, &upload, &staged, &rest).await;
    let requests = proxy.calls().len();
    assert!(requests > 2, "{requests}");
    for die in [Act::DieBefore, Act::DieAfter] {
        for request in 0..requests {
            proxy.script((request, 1), die.clone(), |_| true);
            let (node, from, more) = (Arc::clone(&dying), staged.clone(), rest.clone());
            let dead =
                tokio::spawn(async move { node.append(&upload, &from, chunks(&more)).await });
            proxy.died().await;
            dead.abort();
            let _ = dead.await;
            proxy.forget();
        }
    }
    let all = append(&whole, &upload, &staged, &rest).await;
    whole.finish(&upload, &all, &key_of(&bytes)).await.unwrap();
    holds(&whole, &bytes).await;
}
