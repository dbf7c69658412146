package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for a program.
const patience = 30 * time.Second

// service is a program of the cluster. It can be killed and started again, as often as anybody likes. Its log and the number
// of its process lie in the cluster's directory.
type service struct {
	name, dir, program string
	args, env          []string
	ready              string // an address that answers without an error of the server once it is up

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process of the last start has ended
	result error         // how; to be read after that
}

// start runs the program and returns when it answers.
func (s *service) start(ctx context.Context) error {
	ended, err := s.begin()
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		if answers(ctx, s.ready) {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("%s ended while starting (%w); its log is %s", s.name, s.result, s.log())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer; its log is %s", s.name, s.log())
		case <-look.C:
		}
	}
}

func answers(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

func (s *service) begin() (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // nothing is written here; the program has a handle of its own
	// No context: only kill and end are to end it, and nothing of the caller's environment is to change what runs.
	cmd := &exec.Cmd{Path: s.program, Args: append([]string{s.program}, s.args...), Dir: s.dir, Env: append([]string{"PATH=/usr/bin:/bin"}, s.env...), Stdout: log, Stderr: log}
	// A group of its own, so that an interrupt typed at the terminal does not reach it, and a kill its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	s.cmd, s.ended = cmd, ended
	if err := os.WriteFile(s.pid(), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	go func() {
		err := cmd.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.result = errors.Join(err, os.Remove(s.pid()))
		close(ended)
	}()
	return ended, nil
}

// kill ends the program with SIGKILL, with whatever it started.
func (s *service) kill() error {
	_, err := s.signal(syscall.SIGKILL)
	return err
}

// end asks the program, if it runs, to end in order, and fails if it says that it did not.
func (s *service) end() error {
	asked, err := s.signal(syscall.SIGTERM)
	if err != nil || !asked {
		return err
	}
	if s.result != nil {
		return fmt.Errorf("end of %s: %w; its log is %s", s.name, s.result, s.log())
	}
	return nil
}

// signal returns when the program has ended, and whether it still ran.
func (s *service) signal(sig syscall.Signal) (asked bool, err error) {
	s.mu.Lock()
	cmd, ended := s.cmd, s.ended
	s.mu.Unlock()
	if cmd == nil {
		return false, nil
	}
	select {
	case <-ended:
		return false, nil
	default:
	}
	to := cmd.Process.Pid
	if sig == syscall.SIGKILL {
		to = -to
	}
	if err := syscall.Kill(to, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return false, fmt.Errorf("send %v to %s: %w", sig, s.name, err)
	}
	select {
	case <-ended:
		return true, nil
	case <-time.After(patience):
		return true, errors.Join(fmt.Errorf("%s does not end", s.name), syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	}
}

// how says how the process of the last start ended.
func (s *service) how() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.result == nil {
		return "in order"
	}
	return s.result.Error()
}

// running is closed when the process that runs now has ended.
func (s *service) running() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *service) log() string { return filepath.Join(s.dir, s.name+".log") }
func (s *service) pid() string { return filepath.Join(s.dir, s.name+".pid") }
