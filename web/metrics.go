package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts what the edge does. Labels are methods, route templates and
// status codes: nothing that leads to a person or a case.
type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	streams   prometheus.Gauge
	delivered prometheus.Counter
	refused   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "toldonce_http_requests_total", Help: "Requests answered, by method, route and status."}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "toldonce_http_request_duration_seconds", Help: "Time to answer a request, by route.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60}}, []string{"route"}),
		inFlight:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "toldonce_http_requests_in_flight", Help: "Requests being answered."}),
		streams:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "toldonce_event_streams", Help: "Open streams of server-sent events."}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{Name: "toldonce_media_segments_delivered_total", Help: "Media and initialisation segments sent."}),
		refused:   prometheus.NewCounter(prometheus.CounterOpts{Name: "toldonce_media_segments_refused_total", Help: "Media and initialisation segments refused."}),
	}
	reg.MustRegister(m.requests, m.duration, m.inFlight, m.streams, m.delivered, m.refused)
	return m
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(methodLabel(method), route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

// metricsHandler answers the machine itself, or whoever holds the configured
// token; anyone else gets what a page that does not exist gets.
func (s *Server) metricsHandler() gin.HandlerFunc {
	handler := promhttp.HandlerFor(s.gatherer, promhttp.HandlerOpts{})
	want := sha256.Sum256([]byte(s.metricsToken))
	return func(c *gin.Context) {
		token, ok := bearer(c.GetHeader("Authorization"))
		got := sha256.Sum256([]byte(token))
		allowed := s.metricsToken != "" && ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1
		if s.metricsToken == "" {
			allowed = isLoopback(c.Request.RemoteAddr) && !isForwarded(c.Request)
		}
		if !allowed {
			writeProblem(c.Writer, c.Request, notFound())
			return
		}
		handler.ServeHTTP(c.Writer, c.Request)
	}
}
