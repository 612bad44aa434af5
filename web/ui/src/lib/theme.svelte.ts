export type Theme = 'system' | 'light' | 'dark';

const key = 'toldonce.theme';

function stored(): Theme {
  try {
    const theme = localStorage.getItem(key);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  } catch {
    return 'system';
  }
}

class Look {
  theme = $state<Theme>(stored());
  #room = false;

  choose(theme: Theme): void {
    this.theme = theme;
    try {
      if (theme === 'system') localStorage.removeItem(key);
      else localStorage.setItem(key, theme);
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
    this.#apply();
  }

  /** The interview room is always dark: screens glow in a child's eyes. */
  room(dark: boolean): void {
    this.#room = dark;
    this.#apply();
  }

  #apply(): void {
    const root = document.documentElement;
    const theme = this.#room ? 'dark' : this.theme;
    if (theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme;
  }
}

export const look = new Look();
