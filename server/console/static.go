package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"
)

//go:embed static/*.css static/*.js static/*.svg
var staticFiles embed.FS

// file is one that browsers load. An address with its version never changes its content.
type file struct {
	text    []byte
	version string
}

var files = func() map[string]file {
	listed, err := staticFiles.ReadDir("static")
	if err != nil {
		panic(err) // they are embedded
	}
	out := map[string]file{}
	for _, f := range listed {
		text, err := staticFiles.ReadFile(path.Join("static", f.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(text)
		out[f.Name()] = file{text, hex.EncodeToString(sum[:6])}
	}
	return out
}()

// asset is the address of a file.
func asset(name string) string { return Path + "static/" + name + "?v=" + files[name].version }

// static serves the files, to everybody: there is nothing of anybody in them.
func static() http.Handler {
	kinds := map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		f, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", kinds[path.Ext(name)]+"; charset=utf-8")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") // of a picture that is opened by itself
		header.Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == f.version {
			header.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		header.Set("ETag", `"`+f.version+`"`)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.text))
	})
}
