package auth

import (
	"net/http"
	"net/netip"
	"strings"
)

// Address is where a request comes from, as limits count it: of IPv6 the network of
// a subscriber. What proxies say counts only where a proxy of ours has said it:
// the last address in X-Forwarded-For that is not one of them.
func Address(r *http.Request, proxies []netip.Prefix) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := from.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && ours(ip, proxies); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = hop.Unmap()
	}
	if ip.Is6() {
		network, _ := ip.WithZone("").Prefix(64) // 64 fits every IPv6 address
		return network.String()
	}
	return ip.String()
}

func ours(ip netip.Addr, proxies []netip.Prefix) bool {
	for _, p := range proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
