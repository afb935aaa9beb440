const response = await fetch("/v1/session", { credentials: "same-origin" });
document.getElementById("main").textContent = response.ok ? "Signed in." : "Sign in.";
