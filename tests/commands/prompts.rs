//! What is asked for at a terminal: names, passwords that do not show, and whether one means it.

use crate::desk::Desk;
use crate::house::{House, PASSWORD};

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let house = House::start();
    let desk = Desk::new(&house.server.address());
    let mut terminal = desk.at_terminal("login HOST");
    terminal.shows("Name: ");
    assert!(terminal.echoes());
    terminal.types("ada\n");
    terminal.shows("Password: ");
    assert!(!terminal.echoes());
    terminal.types(&format!("{PASSWORD}\n"));
    terminal.shows("logged in to ");
    assert!(terminal.echoes());
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(PASSWORD));
    assert_eq!(desk.json("whoami")["principal"], "user:ada");
}

#[test]
fn who_interrupts_a_question_finds_their_terminal_as_it_was() {
    let house = House::start();
    let desk = Desk::new(&house.server.address());
    for end in ["\x03", "\x1c"] {
        let mut terminal = desk.at_terminal("login HOST -u ada");
        terminal.shows("Password: ");
        assert!(!terminal.echoes());
        terminal.types("half a pass");
        terminal.types(end);
        // What it says may be lost: the terminal forgets what it has to show when such a key is pressed.
        let (code, shown) = terminal.ends();
        assert_eq!(code, 1, "{shown}");
        assert!(terminal.echoes(), "{end:?}");
    }
    let mut terminal = desk.at_terminal("login HOST -u ada");
    terminal.shows("Password: ");
    terminal.types("\n");
    terminal.shows("wharf: nothing was entered");
    assert!(!desk.config().exists());
}

#[test]
fn a_new_password_is_asked_for_twice() {
    let house = House::start();
    let desk = Desk::of(&house, "bob");
    let change = |current: &str, first: &str, second: &str| {
        let mut terminal = desk.at_terminal("user password");
        for (question, answer) in [
            ("Current password: ", current),
            ("New password: ", first),
            ("The same again: ", second),
        ] {
            terminal.shows(question);
            assert!(!terminal.echoes());
            terminal.types(&format!("{answer}\n"));
        }
        terminal.ends()
    };
    let (code, shown) = change(PASSWORD, "a newer password", "a never password");
    assert_eq!((code, shown.trim()), (1, "wharf: the two are not the same; nothing was changed"));
    let (code, shown) = change(PASSWORD, "a newer password", "a newer password");
    assert_eq!((code, shown.trim()), (0, "user bob has another password"));
    assert_eq!(desk.json("whoami")["principal"], "user:bob");
}

#[test]
fn what_cannot_be_undone_is_asked_about() {
    let house = House::start();
    let root = Desk::of(&house, "root");
    for (answer, code) in [("\n", 1), ("n\n", 1), ("y\n", 0)] {
        let mut terminal = root.at_terminal("user delete bob");
        terminal.shows("delete the user bob? [y/N]: ");
        terminal.types(answer);
        let (ended, shown) = terminal.ends();
        assert_eq!(ended, code, "{answer:?}: {shown}");
        assert_eq!(shown.contains("nothing was changed"), code == 1, "{shown}");
    }
    assert!(root.refused("user show bob").contains("404"));
    let mut terminal = root.at_terminal("org delete team");
    terminal.shows("delete the organization team? [y/N]: ");
    terminal.types("yes\n");
    let (code, shown) = terminal.ends();
    assert!(code == 1 && shown.contains("409"), "{shown}");
    assert!(root.seen("user delete keeper --yes").contains("user keeper is deleted"));
}
