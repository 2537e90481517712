//! Secrets: values go in, and come out only for the apps that ask for them.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::model::Scope;

/// Whom a secret is for, and its name. An empty project or domain stands for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretKey {
    pub project: String,
    pub domain: String,
    pub name: String,
}

/// A secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    pub key: SecretKey,
    pub created: jiff::Timestamp,
}

impl Store {
    /// Whether there was none of this key before. An existing one is not touched.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn create_secret(&self, key: &SecretKey, value: &[u8], now: jiff::Timestamp) -> Result<bool, StoreError> {
        let count = self.connection().execute(
            "INSERT OR IGNORE INTO secrets (project, domain, name, created, value) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![key.project, key.domain, key.name, now.to_string(), value],
        )?;
        Ok(count > 0)
    }

    /// Whether there was one to update.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn update_secret(&self, key: &SecretKey, value: &[u8]) -> Result<bool, StoreError> {
        let count = self.connection().execute(
            "UPDATE secrets SET value = ?4 WHERE project = ?1 AND domain = ?2 AND name = ?3",
            params![key.project, key.domain, key.name, value],
        )?;
        Ok(count > 0)
    }

    /// Whether there was one to delete.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_secret(&self, key: &SecretKey) -> Result<bool, StoreError> {
        let count = self.connection().execute(
            "DELETE FROM secrets WHERE project = ?1 AND domain = ?2 AND name = ?3",
            params![key.project, key.domain, key.name],
        )?;
        Ok(count > 0)
    }

    /// # Errors
    /// When the database cannot be read.
    pub fn secret(&self, key: &SecretKey) -> Result<Option<StoredSecret>, StoreError> {
        let secrets = self.secrets(&key.project, &key.domain)?;
        Ok(secrets.into_iter().find(|secret| secret.key == *key))
    }

    /// The secrets of exactly this project and domain, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn secrets(&self, project: &str, domain: &str) -> Result<Vec<StoredSecret>, StoreError> {
        let connection = self.connection();
        let mut query =
            connection.prepare("SELECT name, created FROM secrets WHERE project = ?1 AND domain = ?2 ORDER BY name")?;
        let rows = query.query_map([project, domain], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let mut secrets = Vec::new();
        for row in rows {
            let (name, created) = row?;
            let key = SecretKey { project: project.to_owned(), domain: domain.to_owned(), name };
            secrets.push(StoredSecret { key, created: created.parse().unwrap_or_default() });
        }
        Ok(secrets)
    }

    /// The value that apps of a scope get: that of their project and domain, else of their domain, else of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn secret_value(&self, scope: &Scope, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let connection = self.connection();
        let mut query =
            connection.prepare("SELECT value FROM secrets WHERE project = ?1 AND domain = ?2 AND name = ?3")?;
        for (project, domain) in [(scope.project.as_str(), scope.domain.as_str()), ("", &scope.domain), ("", "")] {
            let value = query.query_row([project, domain, name], |row| row.get(0)).optional()?;
            if value.is_some() {
                return Ok(value);
            }
        }
        Ok(None)
    }
}
