package demo

import (
	"context"
	"net/http"
	"sync"
)

// later is a site that is made when somebody comes: PostPal asks its provider who it is, and the provider is another site here,
// which serves by then. A failure is not kept: the next visitor tries again.
type later struct {
	make func(ctx context.Context) (http.Handler, error)

	mu   sync.Mutex
	made http.Handler
}

func (l *later) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	site, err := l.site(r.Context())
	if err != nil {
		http.Error(w, "This app cannot reach its provider just now. Try again in a moment.", http.StatusServiceUnavailable)
		return
	}
	site.ServeHTTP(w, r)
}

func (l *later) site(ctx context.Context) (http.Handler, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made != nil {
		return l.made, nil
	}
	made, err := l.make(ctx)
	if err == nil {
		l.made = made
	}
	return made, err
}
