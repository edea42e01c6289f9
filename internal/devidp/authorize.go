package devidp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"time"
)

// asked is what a client asks for at /authorize; the page sends it along.
type asked struct{ ClientID, RedirectURI, State, Nonce, Challenge string }

// read says what is wrong with a request to sign somebody in, "" for nothing.
func (a *asked) read(r *http.Request) (wrong string) {
	*a = asked{r.FormValue("client_id"), r.FormValue("redirect_uri"), r.FormValue("state"), r.FormValue("nonce"), r.FormValue("code_challenge")}
	back, err := url.Parse(a.RedirectURI)
	switch {
	case a.ClientID != ClientID:
		return "the client_id must be " + ClientID
	case err != nil || !local(back.Hostname()) || back.Path != "/auth/callback":
		return "the redirect_uri must be /auth/callback on this machine"
	case r.FormValue("response_type") != "code" || r.FormValue("code_challenge_method") != "S256" || a.Challenge == "":
		return "the response_type must be code, with a code_challenge by S256"
	}
	return ""
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

const style = `:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
button, input { font: inherit; padding: .4rem .7rem; border-radius: .4rem; border: 1px solid; }
ul { list-style: none; padding: 0; }
li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; padding: .3rem 0; border-top: 1px solid color-mix(in srgb, currentcolor 20%, transparent); }
li button { min-width: 9rem; text-align: start; }`

// policy lets the page have its style and nothing else.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'"
}()

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Sign in, locally</title><style>` + style + `</style></head>
<body><main>
<h1>Sign in as</h1>
<p>This is the local identity provider of the devstack. It asks for no password.</p>
<form method="post" action="/authorize">
<input type="hidden" name="response_type" value="code"><input type="hidden" name="code_challenge_method" value="S256">
<input type="hidden" name="client_id" value="{{.ClientID}}"><input type="hidden" name="redirect_uri" value="{{.RedirectURI}}">
<input type="hidden" name="state" value="{{.State}}"><input type="hidden" name="nonce" value="{{.Nonce}}">
<input type="hidden" name="code_challenge" value="{{.Challenge}}">
<p><label>Email <input name="email" type="email" autofocus></label> <button>Sign in</button></p>
<ul>{{range .People}}<li><button name="choice" value="{{.Email}}">{{.Name}}</button> {{.Email}} · {{.About}}</li>
{{end}}</ul>
</form>
</main></body></html>
`))

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	var a asked
	if wrong := a.read(r); wrong != "" {
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	people, err := s.people(r.Context())
	if err != nil {
		http.Error(w, "the members cannot be listed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	_ = page.Execute(w, struct { // the browser has gone; nobody is left to tell
		asked
		People []Person
	}{a, people})
}

// choose sends the browser back with a code for who was chosen.
func (s *Server) choose(w http.ResponseWriter, r *http.Request) {
	var a asked
	wrong := a.read(r)
	email := r.PostFormValue("choice")
	if email == "" {
		email = r.PostFormValue("email")
	}
	if wrong == "" && email == "" {
		wrong = "choose somebody, or type an email"
	}
	if wrong != "" {
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	code := rand.Text()
	now := time.Now()
	s.mu.Lock()
	for old, g := range s.codes {
		if now.After(g.expires) {
			delete(s.codes, old)
		}
	}
	s.codes[code] = grant{email, a.Nonce, a.Challenge, a.RedirectURI, now.Add(codeLife)}
	s.mu.Unlock()
	http.Redirect(w, r, a.RedirectURI+"?"+url.Values{"code": {code}, "state": {a.State}}.Encode(), http.StatusSeeOther)
}

// token gives an ID token for a code, once, to who knows the verifier.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != ClientID || secret != ClientSecret {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	code := r.PostFormValue("code")
	s.mu.Lock()
	g, found := s.codes[code]
	delete(s.codes, code)
	s.mu.Unlock()
	hash := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	proved := subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(hash[:])), []byte(g.challenge)) == 1
	now := time.Now()
	if !found || now.After(g.expires) || !proved || g.redirectURI != r.PostFormValue("redirect_uri") || r.PostFormValue("grant_type") != "authorization_code" {
		refuse(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	claims, err := json.Marshal(map[string]any{
		"iss": s.issuer, "sub": g.email, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "nonce": g.nonce,
		"email": g.email, "email_verified": true,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	signed, err := s.signer.Sign(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()), "id_token": token})
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code}) // the client has gone; nobody is left to tell
}
