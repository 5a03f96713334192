package server

// routes registers every call of docs/api.md.
func (s *Server) routes() {
	s.systemRoutes()
	s.instanceRoutes()
	s.resizeRoutes()
	s.creditRoutes()
	s.stateRoutes()
	s.observeRoutes()
	s.sessionRoutes()
	s.fileRoutes()
	s.imageRoutes()
	s.transferRoutes()
	s.volumeRoutes()
	s.volumeCopyRoutes()
	s.networkRoutes()
	s.serviceRoutes()
	s.ruleRoutes()
	s.groupRoutes()
	s.typeRoutes()
	s.tokenRoutes()
	s.capacityRoutes()
	s.costRoutes()
	s.spotRoutes()
	if s.Metrics != nil {
		s.mux.Handle("GET /metrics", s.Metrics)
	}
}
