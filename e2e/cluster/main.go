// Command cluster runs PostgreSQL, Redis and three nodes of Lanyard behind nginx, on loopback and a throw-away directory,
// and says how to use and how to hurt them. What is killed is started again, as a service manager does it. Ctrl-C ends
// everything and removes the directory.
//
//	make cluster
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// restartAfter is how long a killed program stays away, so that there is something to see.
const restartAfter = 3 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	program := flags.String("program", "bin/lanyard", "the program to run")
	conf := flags.String("nginx", "deploy/nginx.conf", "the configuration of nginx")
	listen := flags.String("listen", "127.0.0.1:8430", "where nginx listens")
	if err := flags.Parse(args); err != nil {
		return err
	}
	shipped, err := os.ReadFile(*conf)
	if err != nil {
		return err
	}
	full, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Starting PostgreSQL, Redis, three nodes and nginx…")
	c, err := newCluster(ctx, full, shipped, *listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	key, err := c.seed(ctx)
	if err != nil {
		return err
	}
	if err := c.save(key); err != nil {
		return err
	}
	c.tell(out, *program)
	var watched sync.WaitGroup
	for _, s := range append([]*service{c.front}, c.nodes...) {
		watched.Go(func() { c.restart(ctx, s, out) })
	}
	<-ctx.Done()
	fmt.Fprintln(out, "Ending.")
	watched.Wait()
	return nil
}

func (c *cluster) tell(out io.Writer, program string) {
	fmt.Fprintf(out, `
Three nodes of Lanyard answer behind nginx at %[1]s
on one PostgreSQL and one Redis. Everything lies in %[2]s

  ask for a decision   curl -sK %[2]s/verify.curl
  see who answered     tail -f %[2]s/access.log
  manage it            LANYARD_URL=%[1]s LANYARD_TOKEN_FILE=%[2]s/token %[3]s apps list
  in a browser         grep -h /link %[2]s/node-1.log      (who opens it becomes the first admin)
  kill a node          kill -9 $(cat %[2]s/node-2.pid)
  kill nginx           kill -s KILL -- -$(cat %[2]s/nginx.pid)
  count again          LANYARD_URL=%[1]s LANYARD_TOKEN_FILE=%[2]s/token %[3]s usage reconcile

What was killed is started again after %[4]s. Ctrl-C ends it all and removes the directory.
`, c.url, c.dir, program, restartAfter)
}

// restart starts a program again whenever it has ended.
func (c *cluster) restart(ctx context.Context, s *service, out io.Writer) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.running():
		}
		fmt.Fprintf(out, "%s has ended (%s).\n", s.name, s.how())
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartAfter):
		}
		if err := s.start(ctx); err != nil {
			fmt.Fprintln(out, err)
			continue
		}
		fmt.Fprintf(out, "%s is back.\n", s.name)
	}
}
