package auth

import "net/http"

// Again finds out who is calling by a request that has been admitted before, and
// is still being answered: what it showed may have been revoked since. It counts for
// no limit.
func (a *Auth) Again(r *http.Request) (*Caller, error) {
	caller, err := a.within(r, Address(r, a.proxies), a.now())
	if err == nil && caller == nil {
		err = unauthenticated(r.Context(), "nobody is signed in")
	}
	return caller, err
}
