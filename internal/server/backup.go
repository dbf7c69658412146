package server

import (
	"context"
	"io"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// BackupSummary says what a backup holds.
type BackupSummary = store.Summary

// RestoreReport says what a restoration did, and what it could not do or has undone.
type RestoreReport = store.Report

// RestoredThing is something a restoration touched.
type RestoredThing = store.Thing

// Backup writes everything the database holds, as of now, while servers go on working. The master key is not in it.
func (c *Core) Backup(ctx context.Context, to io.Writer) (BackupSummary, error) {
	return c.Store.Backup(ctx, to, c.opts.Now())
}

// Restore puts a backup in the place of what the database holds; see store.Store.Restore for what stays. Nodes that run on
// the database drop their caches by themselves.
func (c *Core) Restore(ctx context.Context, from io.Reader, actor audit.Actor, name string) (RestoreReport, error) {
	now := c.opts.Now()
	return c.Store.Restore(ctx, from, now, actor.New(now, "server.restore", name, "", nil))
}
