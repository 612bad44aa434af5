package people

// TakeSlots takes every place for hashing a password, so that whoever hashes
// waits, and returns what gives them back.
func (s *Service) TakeSlots() (release func()) {
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	return func() {
		for range cap(s.slots) {
			<-s.slots
		}
	}
}
