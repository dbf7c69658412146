package server_test

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// link is a connection to a database that can be cut, by silence or by a reset.
type link struct {
	url    string
	target string
	l      net.Listener

	mu     sync.Mutex
	silent chan struct{} // closed when bytes may pass
	refuse bool
	conns  map[net.Conn]bool
}

func newLink(t *testing.T, database string) *link {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{target: u.Host, l: l, url: through(t, database, l.Addr().String()), silent: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(k.silent)
	go k.accept()
	t.Cleanup(func() {
		_ = l.Close()
		k.heal()
		k.drop()
	})
	return k
}

func (k *link) accept() {
	for {
		in, err := k.l.Accept()
		if err != nil {
			return
		}
		k.mu.Lock()
		refuse := k.refuse
		k.mu.Unlock()
		if refuse {
			_ = in.Close()
			continue
		}
		go k.join(in)
	}
}

func (k *link) join(in net.Conn) {
	out, err := net.Dial("tcp", k.target)
	if err != nil {
		_ = in.Close()
		return
	}
	k.mu.Lock()
	k.conns[in], k.conns[out] = true, true
	k.mu.Unlock()
	go k.copy(out, in)
	k.copy(in, out)
}

func (k *link) copy(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		k.mu.Lock()
		open := k.silent
		k.mu.Unlock()
		<-open
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// silence lets nothing through any more, as a broken network does: nobody is told.
func (k *link) silence() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent = make(chan struct{})
}

// reset ends every connection and refuses new ones.
func (k *link) reset() {
	k.mu.Lock()
	k.refuse = true
	k.mu.Unlock()
	k.drop()
}

func (k *link) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		_ = c.Close()
		delete(k.conns, c)
	}
}

func (k *link) heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = false
	select {
	case <-k.silent:
	default:
		close(k.silent)
	}
}
