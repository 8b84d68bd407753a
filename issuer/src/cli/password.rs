//! Where a command gets a password from: standard input, the terminal without echo, or the random source.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::Args;
use serde_json::json;

use super::answer::{Answer, Failure};
use crate::config::Config;
use crate::domain::password::{Password, PasswordError};
use crate::secret::{Secret, random_bytes};

/// Without either option the password is asked for on a terminal, and read from standard input where that is none.
#[derive(Args)]
#[group(id = "password", multiple = false)]
pub(super) struct Arguments {
    /// Read the password from standard input, one line
    #[arg(long)]
    password_stdin: bool,
    /// Make a password and show it once
    #[arg(long)]
    generate_password: bool,
}

/// A password that Passant made: 100 random bits in four groups that can be read aloud.
pub(super) struct Generated(Secret<String>);

impl Generated {
    /// To be shown once.
    pub(super) fn expose(&self) -> &String {
        self.0.expose()
    }

    /// To be set. Its strength is known, so no rule about length applies.
    pub(super) fn to_password(&self) -> Result<Password, PasswordError> {
        Password::typed(self.0.expose())
    }
}

/// Makes a password.
pub(super) fn generate() -> Generated {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).copied().map(char::from);
    let groups: Vec<String> = random_bytes::<20>().chunks(5).map(|group| group.iter().filter_map(letter).collect()).collect();
    Generated(Secret::new(groups.join("-")))
}

/// The password to set, and the one to show where it was made here.
pub(super) fn obtain(arguments: &Arguments, least: usize) -> Result<(Password, Option<Generated>), Failure> {
    if arguments.generate_password {
        let generated = generate();
        return Ok((generated.to_password()?, Some(generated)));
    }
    let text = if arguments.password_stdin || !io::stdin().is_terminal() { read_line()? } else { ask()? };
    if text.expose().is_empty() {
        return Err(Failure::wrong("no password was given: write one on standard input, or use --generate-password"));
    }
    let password = Password::chosen(text.expose(), least).map_err(Failure::wrong)?;
    Ok((password, None))
}

/// The fewest characters of a password.
pub(super) fn least(config: &Config) -> usize {
    usize::try_from(config.passwords.minimum_length).unwrap_or(usize::MAX)
}

/// Adds a password that was made here to the answer, this once.
pub(super) fn show(generated: Option<Generated>, answer: &mut Answer) {
    let Some(generated) = generated else { return };
    answer.text.push_str(&format!("\nThe password, shown this once:\n\n  {}", generated.expose()));
    if let Some(document) = answer.document.as_object_mut() {
        document.insert("password".to_owned(), json!(generated.expose()));
    }
}

fn read_line() -> Result<Secret<String>, Failure> {
    let most = u64::try_from(Password::LONGEST).unwrap_or(u64::MAX).saturating_add(3);
    let mut line = String::with_capacity(Password::LONGEST);
    let read = io::stdin().lock().take(most).read_line(&mut line);
    let text = Secret::new(line.trim_end_matches(['\r', '\n']).to_owned());
    drop(Secret::new(line));
    read.map(|_| text).map_err(|fault| Failure::new(format_args!("the password cannot be read: {fault}")))
}

fn ask() -> Result<Secret<String>, Failure> {
    let prompt = |text| rpassword::prompt_password(text).map(Secret::new);
    let (first, second) = (prompt("Password: ")?, prompt("The same again: ")?);
    if first.expose() == second.expose() {
        Ok(first)
    } else {
        Err(Failure::wrong("the two passwords differ; nothing was changed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_password_has_four_groups_of_five_and_is_never_the_same() {
        let (one, other) = (generate(), generate());
        assert_eq!(one.expose().split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 5]);
        assert_ne!(one.expose(), other.expose());
    }
}
