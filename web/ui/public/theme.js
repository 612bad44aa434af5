// Runs before the first paint, so that neither theme nor language flashes.
(function () {
  try {
    var theme = localStorage.getItem('toldonce.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
    var locale = localStorage.getItem('PARAGLIDE_LOCALE');
    if (locale) document.documentElement.lang = locale;
  } catch (_) {
    // Storage can be switched off: the system's theme and English stand.
  }
})();
