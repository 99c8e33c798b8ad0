//! The locks of the connection pool and of the turns, in every order of their threads' steps: `make model`.
//!
//! `src/store/pool.rs` and `src/turns.rs` are compiled here as they are. What they import is a stand-in: `sync` holds
//! loom's types, `store` a connection that knows whether it may be lent.

mod store;
mod sync;
mod taking_turns;
#[path = "../../../src/turns.rs"]
mod turns;

use std::time::Instant;

/// A claim, its number of preemptions if that is bounded, and the program that it is made of.
type Claim = (&'static str, Option<usize>, fn());

fn main() {
    let claims = store::CLAIMS.iter().chain(taking_turns::CLAIMS);
    let mut count = 0;
    for &(claim, preemptions, program) in claims {
        let start = Instant::now();
        let orders = sync::in_every_order(preemptions, program);
        let bound = match preemptions {
            Some(most) => format!(" of up to {most} preemptions"),
            None => String::new(),
        };
        let time = start.elapsed().as_secs_f64();
        println!("{claim}: {orders} orders{bound}, {time:.1} s");
        count += 1;
    }
    println!("{count} passed, 0 failed");
}
