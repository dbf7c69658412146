package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
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
	cpu       time.Duration // of the server for a request; 0: not known
}

// talk is what one connection says, and what it expects to hear.
type talk interface {
	// next is the request to send now, as bytes; nil: there is nothing more to say.
	next() []byte
	// heard checks the body of the answer to it, which came with 200. It may not keep the body.
	heard(body []byte) error
}

// load drives n connections at once for as long as told, and takes together how long each answer took. An answer that is not right ends it with
// an error.
func load(n int, during time.Duration, drive func(conn int, until time.Time) ([]time.Duration, error)) (result, error) {
	var all []time.Duration
	var mu sync.Mutex
	var failure error
	var running sync.WaitGroup
	start := time.Now()
	until := start.Add(during)
	for c := range n {
		running.Go(func() {
			took, err := drive(c, until)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			failure = errors.Join(failure, err)
		})
	}
	running.Wait()
	elapsed := time.Since(start)
	if failure != nil || len(all) == 0 {
		return result{}, fmt.Errorf("%d answers: %w", len(all), failure)
	}
	slices.Sort(all)
	return result{perSecond: float64(len(all)) / elapsed.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100], requests: len(all)}, nil
}

// drive talks over one connection, one request at a time, until there is nothing more to say. The client is as small as can be, so that what is
// measured is the server.
func drive(address string, until time.Time, t talk) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // the measurement is over
	r := bufio.NewReaderSize(conn, maxAnswer)
	took := make([]time.Duration, 0, 1<<16)
	for {
		request := t.next()
		began := time.Now()
		if request == nil || began.After(until) {
			return took, nil
		}
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := readAnswer(r, t.heard); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
}

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 8 << 10

var (
	lengthHeader = []byte("Content-Length: ")
	wantStatus   = []byte("HTTP/1.1 200")
	wantAllowed  = []byte(`{"allowed":true`)
)

// allowed wants an answer of /v1/verify that allows.
func allowed(body []byte) error { return begins(body, wantAllowed) }

func begins(body, with []byte) error {
	if !bytes.HasPrefix(body, with) {
		return fmt.Errorf("the answer begins %q, want %q", body[:min(len(body), len(with))], with)
	}
	return nil
}

// readAnswer wants a 200 whose body is right.
func readAnswer(r *bufio.Reader, right func(body []byte) error) error {
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
	body, err := r.Peek(length) // stays readable until the next read
	if err != nil {
		return err
	}
	if err := right(body); err != nil {
		return err
	}
	_, err = r.Discard(length)
	return err
}

// ask sends the requests one after the other over one connection, and wants every answer right.
func ask(address string, requests iter.Seq[[]byte], right func(body []byte) error) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // all is answered
	r := bufio.NewReaderSize(conn, maxAnswer)
	for request := range requests {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := readAnswer(r, right); err != nil {
			return err
		}
	}
	return nil
}
