package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// result is what one stretch of load measured.
type result struct {
	perSecond float64
	p50, p99  time.Duration
	requests  int
}

// load asks over n connections, one request at a time each, for as long as told. next gives the bytes of the request that
// a connection sends as its i-th. The client is as small as can be, so that what is measured is the server.
func load(address string, n int, during time.Duration, next func(conn, i int) []byte) (result, error) {
	var all []time.Duration
	var mu sync.Mutex
	var failure error
	var running sync.WaitGroup
	start := time.Now()
	until := start.Add(during)
	for c := range n {
		running.Go(func() {
			took, err := drive(address, until, func(i int) []byte { return next(c, i) })
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			failure = errors.Join(failure, err)
		})
	}
	running.Wait()
	elapsed := time.Since(start)
	if failure != nil || len(all) == 0 {
		return result{}, fmt.Errorf("load on %s: %w", address, failure)
	}
	slices.Sort(all)
	return result{perSecond: float64(len(all)) / elapsed.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100], requests: len(all)}, nil
}

func drive(address string, until time.Time, next func(int) []byte) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // the measurement is over
	r := bufio.NewReaderSize(conn, 8<<10)
	took := make([]time.Duration, 0, 1<<16)
	for i := 0; ; i++ {
		began := time.Now()
		if began.After(until) {
			return took, nil
		}
		if _, err := conn.Write(next(i)); err != nil {
			return nil, err
		}
		if err := readAnswer(r); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
}

var (
	lengthHeader = []byte("Content-Length: ")
	wantStatus   = []byte("HTTP/1.1 200")
	wantAllowed  = []byte(`{"allowed":true`)
)

// readAnswer wants a 200 that allows.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, wantStatus) {
		return fmt.Errorf("the server answered %q", bytes.TrimSpace(line))
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if bytes.HasPrefix(line, lengthHeader) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthHeader):]))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no Content-Length")
	}
	head, err := r.Peek(min(length, len(wantAllowed)))
	if err != nil {
		return err
	}
	if !bytes.Equal(head, wantAllowed) {
		return fmt.Errorf("the server did not allow: %q", head)
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}

// ask sends the requests one after the other over one connection.
func ask(address string, requests iter.Seq[[]byte]) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // all is answered
	r := bufio.NewReaderSize(conn, 8<<10)
	for request := range requests {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := readAnswer(r); err != nil {
			return err
		}
	}
	return nil
}
