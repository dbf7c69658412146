package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
)

// torture kills one server that has its database and spool for itself.
func torture(ctx context.Context, o options, progress io.Writer) (r report, err error) {
	dir, err := os.MkdirTemp("", "lanyard-torture-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	v, err := newVictim(dir, o.durability, nil)
	if err != nil {
		return r, err
	}
	if err := v.seed(ctx); err != nil {
		return r, fmt.Errorf("prepare: %w", err)
	}
	clients, stopClients := context.WithCancel(ctx)
	defer stopClients()
	t := &traffic{nodes: []*victim{v}}
	t.start(clients)
	for k := range o.kills {
		if err := v.liveAndDie(ctx, syscall.SIGKILL, moment(20*time.Millisecond, 270*time.Millisecond)); err != nil {
			return r, fmt.Errorf("life %d: %w", k, err)
		}
		if (k+1)%20 == 0 {
			fmt.Fprintf(progress, "%d of %d kills, %d acknowledged\n", k+1, o.kills, t.acknowledged.Load())
		}
	}
	// A last life: clients finish what they began, then the server ends in order.
	if err := v.live(ctx, func(p *os.Process) error { t.finish(); return p.Signal(syscall.SIGTERM) }); err != nil {
		return r, fmt.Errorf("last life: %w", err)
	}
	r.kills = strconv.Itoa(o.kills)
	t.report(&r)
	err = v.count(ctx, &r)
	return r, err
}
