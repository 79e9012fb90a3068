//! `wharf login --device`: a person lets the command line in, in a browser.

use crate::browser::Browser;
use crate::desk::Desk;
use crate::house::{House, PASSWORD};
use crate::support::server::Server;
use crate::support::terminal::Terminal;

/// Types the code that a terminal shows into a browser in which `ada` is logged in, and answers; sees what asks.
fn answer(house: &House, terminal: &mut Terminal, answer: &str) {
    let url = |path: &str| format!("http://{}{path}", house.server.address());
    terminal.shows(&format!("open {}?user_code=", url("/device")));
    terminal.shows("and confirm there that the code is ");
    let code = terminal.line();
    let mut browser = Browser::new();
    let form = browser.open(&url("/login"));
    browser.submit(&form, &[("name", "ada"), ("password", PASSWORD)]);
    let form = browser.open(&url("/device"));
    let asked = browser.submit(&form, &[("user_code", &code)]);
    assert!(asked.text.contains("wharf login on "), "{}", asked.text);
    browser.submit(&asked, &[("answer", answer)]);
}

#[test]
fn a_person_lets_the_command_line_in() {
    let house = House::start();
    let desk = Desk::new(&house.server.address());
    let let_in = |flags: &str| {
        let mut terminal = desk.at_terminal(&format!("login HOST --device{flags}"));
        answer(&house, &mut terminal, "allow");
        let (code, shown) = terminal.ends();
        assert_eq!(code, 0, "{shown}");
        assert!(shown.contains(" as ada\n"), "{shown}");
    };
    let_in("");
    assert_eq!(desk.json("whoami")["principal"], "user:ada");
    assert_eq!(desk.done("ls HOST/team/private"), "v1\n");
    // It is good to push and pull, and for more only where that was asked for.
    assert_eq!(desk.json("token list")[0]["role"], "write");
    desk.refused("token create another");
    let_in(" --role admin");
    // It is a token like others, and ends like one.
    let tokens = desk.json("token list");
    let ours = tokens.as_array().unwrap().iter().find(|token| token["role"] == "admin").unwrap();
    let id = ours["id"].as_str().unwrap();
    desk.done(&format!("token delete {id}"));
    desk.refused("whoami");
}

#[test]
fn a_person_who_refuses_lets_nobody_in() {
    let house = House::start();
    let desk = Desk::new(&house.server.address());
    let mut terminal = desk.at_terminal("login HOST --device");
    answer(&house, &mut terminal, "refuse");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("wharf: the login was refused on the page of "), "{shown}");
    assert!(!desk.config().exists());
}

#[test]
fn a_registry_that_lets_no_devices_in_is_told_apart() {
    let server = Server::start();
    let desk = Desk::new(&server.address());
    let refused = desk.refused("login HOST --device");
    assert_eq!(refused, "HOST lets no devices in: log in by a name and a password, or by --token");
}
