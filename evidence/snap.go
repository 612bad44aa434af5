package evidence

// WholeSegments returns the whole segments of one track that lie inside asked. leaves are
// the track's media leaves by index. A segment that is not a random access point
// counts only with all its predecessors back to one. outward takes every segment
// that asked touches instead, and what those depend on. Of several stretches it
// takes the one with the most segments. ok is false when nothing fits.
func WholeSegments(leaves []Leaf, asked Range, outward bool) (first, last int, ok bool) {
	best := 0
	for i := 0; i < len(leaves); {
		if !inside(leaves[i], asked, outward) {
			i++
			continue
		}
		begin := i
		for i++; i < len(leaves) && leaves[i].Index == leaves[i-1].Index+1 && inside(leaves[i], asked, outward); {
			i++
		}
		end := i
		if outward {
			for begin > 0 && !leaves[begin].Independent && leaves[begin-1].Index == leaves[begin].Index-1 {
				begin--
			}
		}
		for begin < end && !leaves[begin].Independent {
			begin++
		}
		if end-begin > best {
			best, first, last, ok = end-begin, leaves[begin].Index, leaves[end-1].Index, true
		}
	}
	return first, last, ok
}

func inside(l Leaf, asked Range, outward bool) bool {
	if outward {
		return asked.Overlaps(l.Range())
	}
	return asked.Contains(l.Range())
}
