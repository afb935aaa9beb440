// Runs before the first paint, so that the page is never shown in the other theme first.
(() => {
  try {
    const theme = localStorage.getItem("farol-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's theme is in force.
  }
})();
