package pgtest

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// debian is where Debian puts the programs of a server, by version and outside PATH.
const debian = "/usr/lib/postgresql/*/bin"

// find returns the folder that holds postgres and initdb: the one on PATH, else the newest of those the pattern matches.
func find(pattern string) (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if program, err := filepath.EvalSymlinks(path); err == nil && executable(filepath.Join(filepath.Dir(program), "postgres")) {
			return filepath.Dir(program), nil
		}
	}
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", fmt.Errorf("look for postgres: %w", err)
	}
	newest, folder := -1.0, ""
	for _, bin := range found {
		version, err := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64)
		if err == nil && version > newest && executable(filepath.Join(bin, "postgres")) && executable(filepath.Join(bin, "initdb")) {
			newest, folder = version, bin
		}
	}
	if folder == "" {
		return "", fmt.Errorf("this test needs the programs postgres and initdb, on PATH or in %s: apt-get install postgresql", pattern)
	}
	return folder, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// Port is a TCP port of 127.0.0.1 that nobody else is given.
type Port struct {
	Number int
	socket int // 0 when there is none
}

// Address is where a server on the port is reached.
func (p Port) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number)) }

// Reserve has the kernel choose a port and keeps a socket bound to it that does not listen. With SO_REUSEADDR, which
// PostgreSQL, nginx and Go set too, Linux lets a server listen there all the same, as often as it restarts, while no bind to port 0 and
// no outgoing connection gets the number. Choosing a port and closing it again would leave it to whoever asks next.
func Reserve() (Port, error) {
	syscall.ForkLock.RLock() // no child may inherit the socket before it is marked
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return Port{}, fmt.Errorf("reserve a port: %w", err)
	}
	p := Port{socket: socket}
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return Port{}, errors.Join(fmt.Errorf("reserve a port: %w", err), p.Release())
	}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return Port{}, errors.Join(fmt.Errorf("reserve a port: %w", err), p.Release())
	}
	address, err := syscall.Getsockname(socket)
	if err != nil {
		return Port{}, errors.Join(fmt.Errorf("reserve a port: %w", err), p.Release())
	}
	inet, ok := address.(*syscall.SockaddrInet4)
	if !ok {
		return Port{}, errors.Join(fmt.Errorf("reserve a port: address is a %T", address), p.Release())
	}
	p.Number = inet.Port
	return p, nil
}

// Release gives the port back.
func (p Port) Release() error {
	if p.socket == 0 {
		return nil
	}
	return syscall.Close(p.socket)
}

// watching is what the watchdog runs: it reads until the test process has gone, for whatever reason, then ends the server
// and removes the directory $1. A server's working directory tells it from a stranger that has the same process id by now.
const watching = `
read -r _
data="$1/data"
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$data" ]; then
	kill -CONT "$pid"
	kill -QUIT "$pid"
	tries=0
	while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
fi
rm -rf "$1"
`

// watch starts the watchdog. The kernel closes the lifeline when this process ends, by return, panic, os.Exit or SIGKILL.
func (c *Cluster) watch() error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make lifeline: %w", err)
	}
	defer reader.Close() //nolint:errcheck // the watchdog has a handle of its own
	cmd := c.command("/bin/sh", "-c", watching, "pgtest", c.dir)
	// Its output goes nowhere: go test waits for whoever holds the test's own.
	cmd.Stdin = reader
	cmd.Dir = "/"
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start watchdog: %w", err), writer.Close())
	}
	c.watchdog, c.lifeline = cmd, writer
	return nil
}

// dismiss lets the watchdog do its work now and waits for it.
func (c *Cluster) dismiss() error {
	if c.watchdog == nil {
		return nil
	}
	return errors.Join(c.lifeline.Close(), c.watchdog.Wait())
}

// signal sends sig to each process; one that has gone needs none.
func signal(pids []int, sig syscall.Signal) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
		}
	}
	return nil
}

// await returns when none of the processes runs any more. They are not ours to wait for, so it has to look.
func await(pids []int) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for slices.ContainsFunc(pids, func(pid int) bool { return !gone(pid) }) {
		select {
		case <-look.C:
		case <-limit.C:
			return fmt.Errorf("processes %v do not end", pids)
		}
	}
	return nil
}

// children returns the processes whose parent is pid.
func children(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []int
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue // not a process
		}
		if _, parent, err := stat(child); err == nil && parent == pid {
			found = append(found, child)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			return nil, err
		}
	}
	return found, nil
}

// gone reports whether a process has ended, collected by its parent or not.
func gone(pid int) bool {
	state, _, err := stat(pid)
	return err != nil || state == "Z" || state == "X"
}

// stat returns a process's state and parent, fields 3 and 4 of proc_pid_stat(5). Field 2, the name, is in brackets and may
// hold blanks and brackets itself.
func stat(pid int) (state string, parent int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return "", 0, fmt.Errorf("process %d: stat %q", pid, text)
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err
}
