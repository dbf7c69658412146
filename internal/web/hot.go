package web

import "net/http"

// Hot is Handle in a frame that costs nothing when all goes well: no request id, no log line. It is for the one endpoint
// that every request of every API passes. A failure, or a panic before anything was answered, gets the frame of Wrap.
func (k *Kit) Hot(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		failed := true
		var err error
		defer func() {
			if !failed {
				return
			}
			caught := recover()
			k.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if caught != nil {
					panic(caught)
				}
				k.Refuse(w, r, err)
			})).ServeHTTP(w, r)
		}()
		err = serve(w, r)
		failed = err != nil
	})
}
