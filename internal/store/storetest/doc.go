// Package storetest is the suite that package store passes on SQLite and on PostgreSQL. Whatever else speaks PostgreSQL's
// protocol and passes it is welcome.
package storetest
