// Package preview makes small pictures and loudness of sealed recordings, so that
// whoever may play them can find her way in three hours. Both are made once, after
// the seal, by a confined ffmpeg over pipes, and kept encrypted to the recording's
// own recipient: they end with its key (P35). They are let out only under the
// decision and the custody entry of access.Service.Preview. Without ffmpeg pages
// show neither; nothing else changes.
package preview
