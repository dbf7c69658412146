package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

//go:embed assets
var assets embed.FS

// asset is a file whose name holds the hash of its bytes, so that it may be kept for ever.
type asset struct {
	name string
	kind string // its content type
	body []byte
}

func (a asset) path() string { return "/assets/" + a.name }

func newAsset(stem, ending, body string) asset {
	sum := sha256.Sum256([]byte(body))
	kind := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}[ending]
	return asset{name: stem + "-" + hex.EncodeToString(sum[:6]) + ending, kind: kind, body: []byte(body)}
}

// static returns the embedded assets by the names of their files.
func static() map[string]asset {
	all := map[string]asset{}
	files, err := fs.Glob(assets, "assets/*")
	if err != nil {
		panic("page: " + err.Error()) // the pattern is ours
	}
	for _, file := range files {
		body, err := assets.ReadFile(file)
		if err != nil {
			panic("page: " + err.Error()) // it was just listed
		}
		ending := path.Ext(file)
		all[path.Base(file)] = newAsset(strings.TrimSuffix(path.Base(file), ending), ending, string(body))
	}
	return all
}

// brandAsset makes the style sheet (".css") or icon (".svg") of a colour. The colour stands in the name, so that any node serves what
// another one's page asks for, also while the brand changes: brand-0b7a5c-<hash>.css.
func brandAsset(main rgb, ending string) asset {
	colors := newPalette(main)
	body := colors.sheet()
	if ending == ".svg" {
		body = colors.icon()
	}
	return newAsset("brand-"+main.hex(), ending, body)
}

// findAsset returns the asset of that exact name.
func (k *Kit) findAsset(name string) (asset, bool) {
	for _, file := range k.static {
		if file.name == name {
			return file, true
		}
	}
	digits, ok := strings.CutPrefix(name, "brand-")
	if !ok || len(digits) < 6 {
		return asset{}, false
	}
	ending := path.Ext(name)
	if ending != ".css" && ending != ".svg" {
		return asset{}, false
	}
	made := brandAsset(parseColor("#"+digits[:6]), ending)
	return made, made.name == name
}

// Assets serves GET /assets/{name}. Their names hold the hash of their bytes, so any kit serves what another one's page asks for.
func (k *Kit) Assets() http.HandlerFunc { return k.Handle(k.asset) }

func (k *Kit) asset(w http.ResponseWriter, r *http.Request) error {
	found, ok := k.findAsset(r.PathValue("name"))
	if !ok {
		return fault.New(fault.NotFound, "there is no such file; the page that named it may be older than this server")
	}
	h := w.Header()
	h.Set("Content-Type", found.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	writeOpen(w, r, http.StatusOK, found.body)
	return nil
}
